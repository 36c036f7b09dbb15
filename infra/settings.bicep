// Everything that the app is told, under the names of docs/settings.md. A secret is a reference to the vault, and only
// there while its vendor is connected: one that cannot be resolved is a problem of the settings, and nothing would run.
// A value that is empty counts as not set. This is the whole list: what is set by hand is gone after `azd provision`.

@description('Name of the function app.')
param appName string

@description('Name of the identity that the app is.')
param identityName string

@description('Name of the Application Insights component.')
param insightsName string

@description('Name of the storage account.')
param storageName string

@description('Name of the vault that holds the secrets.')
param vaultName string

@description('How the platform sends logs and requests to Application Insights.')
param telemetryMode string

@description('Threads to work on requests.')
param httpConcurrency int

@description('Site whose API base is looked up, such as na.myconnectwise.net. This or manageBaseUrl.')
param manageSite string

@description('Base URL of the Manage API, used as it stands; ends with /apis/3.0. This or manageSite.')
param manageBaseUrl string

@description('What is typed as Company at the Manage login.')
param manageCompany string

@description('Client id from the ConnectWise developer network.')
param manageClientId string

@description('API version to pin, such as 2025.16. Empty: the version that the server offers.')
param manageApiVersion string

@description('Certificate authority of a self-hosted Manage: a PEM file of the package. Empty: the public ones.')
param manageCaFile string

@description('Calls to Manage at once from one process.')
param manageCallsInFlight int

@description('Whether Manage bills a line on its cancelled date: find out with docs/calibration.md.')
param manageCancelledDay string

@description('How Manage bills a line that is changed: find out with docs/calibration.md.')
param manageChangedLine string

@description('Whether Manage bills the first day of a line that it prorates: find out with docs/calibration.md.')
param manageProrateStartDay string

@description('Client id of the multi-tenant app registration that reads customers. Empty: not connected.')
param microsoftClientId string

@description('Partner tenants whose customers are read, separated by commas. This or microsoftDirectTenants, or both.')
param microsoftPartnerTenants string

@description('Customer tenants read without a partner relationship, separated by commas.')
param microsoftDirectTenants string

@description('Where Microsoft tokens come from. Empty: the public cloud.')
param microsoftAuthority string

@description('Microsoft Graph. Empty: the public cloud.')
param microsoftGraphUrl string

@description('Certificate authority for these two: a PEM file of the package. Empty: the public ones.')
param microsoftCaFile string

@description('Microsoft CSV of product names: an https URL or a file of the package. Empty: known names only.')
param microsoftSkuNames string

@description('Address of Partner Center; empty: it is not asked.')
param microsoftPartnerCenterUrl string

@description('Scope of tokens for Partner Center.')
param microsoftPartnerCenterScope string

@description('Currency in which Microsoft bills licences to the first partner tenant. Empty: charges are not read.')
param microsoftChargesCurrency string

@description('Currency in which Microsoft bills Azure to the first partner tenant. Empty: Azure is not read.')
param microsoftAzureCurrency string

@description('Days after which Azure usage of a day is taken for complete. Empty: 3.')
param microsoftAzureSettledDays string

@description('Client id of the Pax8 API credentials; the vault holds pax8-client-secret. Empty: not connected.')
param pax8ClientId string

@description('Statuses whose subscriptions count, separated by commas. Empty: what Pax8 charges for.')
param pax8BillableStatuses string

@description('invoices: what is charged in arrears is counted by the invoices of Pax8. Empty: not at all.')
param pax8Usage string

@description('Pax8 API. Empty: the public one.')
param pax8Url string

@description('Where Pax8 tokens come from. Empty: the public one.')
param pax8TokenUrl string

@description('Audience of Pax8 tokens. Empty: the partner API.')
param pax8Audience string

@description('API key of the Huntress account; the vault holds huntress-private-key. Empty: not connected.')
param huntressPublicKey string

@description('Huntress API; of the account where the keys are a reseller\'s. Empty: the public one.')
param huntressUrl string

@description('Own customer name at Cove, exactly as its console shows it.')
param covePartner string

@description('Login name of the API user at Cove; the vault holds cove-token. Empty: not connected.')
param coveUsername string

@description('JSON-RPC of Cove. Empty: the public one.')
param coveUrl string

@description('Whether counts are pushed to the app; if so, the vault holds pushed-keys.')
param pushedCounts string

@description('How many hours a push is believed.')
param pushedHours int

@description('Mail server that takes notices, host:port. Empty: none.')
param noticeSmtp string

@description('Address that notices are from, by that server.')
param noticeSmtpFrom string

@description('How the connection to it is kept secret.')
param noticeSmtpSecurity string

@description('User name at that server. Empty: it asks for none, and for no password.')
param noticeSmtpUsername string

@description('Mailbox of the own tenant that Microsoft Graph sends notices from, where there is no mail server.')
param noticeMailbox string

@description('Whether notices go to Teams; if so, the vault holds notice-teams.')
param noticeTeams string

@description('Who is told when a night, the storage or Manage fails, such as mail:desk@birchline.example.')
param noticeAlerts string

@description('Address of the console, for links in notices. Empty: no links.')
param noticeConsoleUrl string

@description('Last days of secrets and certificates: name=day, separated by commas.')
param noticeSecretsEnd string

@description('IANA time zone of readings and schedules, such as America/Chicago.')
param timeZone string

@description('Address under which Manage tells of changes: the app with /api/callbacks/manage. Empty: it is not asked to.')
param callbackUrl string

@description('Companies worked on at once in a run. Each lane may be an instance of its own.')
param lanes int

@description('Seconds that a company is leased to a worker; below the functionTimeout of host.json.')
param leaseSeconds int

@description('Days for which the daily backups of the store are kept. 0: none are made.')
param backupDays int

@description('Client id of the single-tenant app registration by which people sign in to /console. Empty: nobody.')
param consoleClientId string

resource app 'Microsoft.Web/sites@2024-04-01' existing = {
  name: appName
}

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' existing = {
  name: identityName
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource storage 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: storageName
}

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' existing = {
  name: vaultName
}

var always = {
  AzureWebJobsStorage__accountName: storage.name
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identity.properties.clientId
  APPLICATIONINSIGHTS_CONNECTION_STRING: insights.properties.ConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identity.properties.clientId};Authorization=AAD'
  AzureFunctionsJobHost__telemetryMode: telemetryMode
  // All of it, with OpenTelemetry, as host.json says for the other mode: alerts and workbook count.
  OTEL_TRACES_SAMPLER: 'microsoft.fixed_percentage'
  OTEL_TRACES_SAMPLER_ARG: '1.0'
  PYTHON_THREADPOOL_THREAD_COUNT: string(httpConcurrency)
  MANAGE_SITE: manageSite
  MANAGE_BASE_URL: manageBaseUrl
  MANAGE_COMPANY: manageCompany
  MANAGE_PUBLIC_KEY: '@Microsoft.KeyVault(SecretUri=${vault.properties.vaultUri}secrets/manage-public-key)'
  MANAGE_PRIVATE_KEY: '@Microsoft.KeyVault(SecretUri=${vault.properties.vaultUri}secrets/manage-private-key)'
  MANAGE_CLIENT_ID: manageClientId
  MANAGE_API_VERSION: manageApiVersion
  MANAGE_CA_FILE: manageCaFile
  MANAGE_CALLS_IN_FLIGHT: string(manageCallsInFlight)
  TRUEUP_MANAGE_CANCELLED_DAY: manageCancelledDay
  TRUEUP_MANAGE_CHANGED_LINE: manageChangedLine
  TRUEUP_MANAGE_PRORATE_START_DAY: manageProrateStartDay
  NOTICE_CONSOLE_URL: noticeConsoleUrl
  NOTICE_SECRETS_END: noticeSecretsEnd
  TRUEUP_TIME_ZONE: timeZone
  TRUEUP_CALLBACK_URL: callbackUrl
  TRUEUP_LANES: string(lanes)
  TRUEUP_LEASE_SECONDS: string(leaseSeconds)
  TRUEUP_BACKUP_DAYS: string(backupDays)
}

var microsoft = empty(microsoftClientId) ? {} : {
  MICROSOFT_CLIENT_ID: microsoftClientId
  MICROSOFT_CREDENTIAL: 'managed-identity'
  MICROSOFT_IDENTITY_CLIENT_ID: identity.properties.clientId
  MICROSOFT_PARTNER_TENANTS: microsoftPartnerTenants
  MICROSOFT_DIRECT_TENANTS: microsoftDirectTenants
  MICROSOFT_AUTHORITY: microsoftAuthority
  MICROSOFT_GRAPH_URL: microsoftGraphUrl
  MICROSOFT_CA_FILE: microsoftCaFile
  MICROSOFT_SKU_NAMES: microsoftSkuNames
  MICROSOFT_PARTNER_CENTER_URL: microsoftPartnerCenterUrl
  MICROSOFT_PARTNER_CENTER_SCOPE: microsoftPartnerCenterScope
  MICROSOFT_CHARGES_CURRENCY: microsoftChargesCurrency
  MICROSOFT_AZURE_CURRENCY: microsoftAzureCurrency
  MICROSOFT_AZURE_SETTLED_DAYS: microsoftAzureSettledDays
  NOTICE_MAILBOX: noticeMailbox
}

var pax8 = empty(pax8ClientId) ? {} : {
  PAX8_CLIENT_ID: pax8ClientId
  PAX8_CLIENT_SECRET: '@Microsoft.KeyVault(SecretUri=${vault.properties.vaultUri}secrets/pax8-client-secret)'
  PAX8_BILLABLE_STATUSES: pax8BillableStatuses
  PAX8_USAGE: pax8Usage
  PAX8_URL: pax8Url
  PAX8_TOKEN_URL: pax8TokenUrl
  PAX8_AUDIENCE: pax8Audience
}

var huntress = empty(huntressPublicKey) ? {} : {
  HUNTRESS_PUBLIC_KEY: huntressPublicKey
  HUNTRESS_PRIVATE_KEY: '@Microsoft.KeyVault(SecretUri=${vault.properties.vaultUri}secrets/huntress-private-key)'
  HUNTRESS_URL: huntressUrl
}

var cove = empty(coveUsername) ? {} : {
  COVE_USERNAME: coveUsername
  COVE_PARTNER: covePartner
  COVE_TOKEN: '@Microsoft.KeyVault(SecretUri=${vault.properties.vaultUri}secrets/cove-token)'
  COVE_URL: coveUrl
}

var pushed = pushedCounts == 'no' ? {} : {
  PUSHED_KEYS: '@Microsoft.KeyVault(SecretUri=${vault.properties.vaultUri}secrets/pushed-keys)'
  PUSHED_HOURS: string(pushedHours)
}

var smtp = empty(noticeSmtp) ? {} : {
  NOTICE_SMTP: noticeSmtp
  NOTICE_SMTP_FROM: noticeSmtpFrom
  NOTICE_SMTP_SECURITY: noticeSmtpSecurity
}

var smtpLogin = empty(noticeSmtp) || empty(noticeSmtpUsername) ? {} : {
  NOTICE_SMTP_USERNAME: noticeSmtpUsername
  NOTICE_SMTP_PASSWORD: '@Microsoft.KeyVault(SecretUri=${vault.properties.vaultUri}secrets/notice-smtp-password)'
}

var teams = noticeTeams == 'no' ? {} : {
  NOTICE_TEAMS: '@Microsoft.KeyVault(SecretUri=${vault.properties.vaultUri}secrets/notice-teams)'
}

var alerts = empty(noticeAlerts) ? {} : {
  NOTICE_ALERTS: noticeAlerts
}

// In place of a client secret: the client id of the identity that the registration of the console trusts.
var signIn = empty(consoleClientId) ? {} : {
  OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID: identity.properties.clientId
}

resource settings 'Microsoft.Web/sites/config@2024-04-01' = {
  parent: app
  name: 'appsettings'
  properties: union(always, microsoft, pax8, huntress, cove, pushed, smtp, smtpLogin, teams, alerts, signIn)
}
