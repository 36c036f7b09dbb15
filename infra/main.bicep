// TrueUp in a resource group of its own: one function app, its identity, its store, its vault and who watches over it.
// Nothing here holds a key. Deleting the resource group deletes everything.
targetScope = 'subscription'

@description('Name of the azd environment, such as trueup-prod. Names and tags are derived from it.')
@minLength(1)
@maxLength(40)
param environmentName string

@description('Azure region of everything. It must offer Flex Consumption with Python 3.13.')
@minLength(1)
param location string

@description('Mail address that alerts go to.')
@minLength(3)
param alertEmail string

@description('Site whose API base is looked up, such as na.myconnectwise.net. This or manageBaseUrl.')
param manageSite string = ''

@description('Base URL of the Manage API, used as it stands; ends with /apis/3.0. This or manageSite.')
param manageBaseUrl string = ''

@description('What is typed as Company at the Manage login.')
@minLength(1)
param manageCompany string

@description('Client id from the ConnectWise developer network.')
@minLength(36)
@maxLength(36)
param manageClientId string

@description('API version to pin, such as 2025.16. Empty: the version that the server offers.')
param manageApiVersion string = ''

@description('Certificate authority of a self-hosted Manage: a PEM file of the package. Empty: the public ones.')
param manageCaFile string = ''

@description('Calls to Manage at once from one process.')
@minValue(1)
@maxValue(64)
param manageCallsInFlight int = 4

@description('Whether Manage bills a line on its cancelled date: find out with docs/calibration.md.')
@allowed([
  'billed'
  'free'
])
param manageCancelledDay string = 'billed'

@description('How Manage bills a line that is changed: find out with docs/calibration.md.')
@allowed([
  'next-invoice'
  'retroactive'
])
param manageChangedLine string = 'next-invoice'

@description('Whether Manage bills the first day of a line that it prorates: find out with docs/calibration.md.')
@allowed([
  'included'
  'excluded'
])
param manageProrateStartDay string = 'included'

@description('Client id of the multi-tenant app registration that reads customers. Empty: not connected.')
@maxLength(36)
param microsoftClientId string = ''

@description('Partner tenants whose customers are read, separated by commas. This or microsoftDirectTenants, or both.')
param microsoftPartnerTenants string = ''

@description('Customer tenants read without a partner relationship, separated by commas.')
param microsoftDirectTenants string = ''

@description('Where Microsoft tokens come from. Empty: the public cloud.')
param microsoftAuthority string = ''

@description('Microsoft Graph. Empty: the public cloud.')
param microsoftGraphUrl string = ''

@description('Certificate authority for these two: a PEM file of the package. Empty: the public ones.')
param microsoftCaFile string = ''

@description('Microsoft CSV of product names: an https URL or a file of the package. Empty: known names only.')
param microsoftSkuNames string = ''

@description('Address of Partner Center, which tells the terms of subscriptions. Empty: it is not asked.')
param microsoftPartnerCenterUrl string = ''

@description('Scope of tokens for Partner Center. Empty: that of its address.')
param microsoftPartnerCenterScope string = ''

@description('Currency in which Microsoft bills licences to the first partner tenant. Empty: charges are not read.')
param microsoftChargesCurrency string = ''

@description('Currency in which Microsoft bills Azure to the first partner tenant. Empty: Azure is not read.')
param microsoftAzureCurrency string = ''

@description('Days after which Azure usage of a day is taken for complete. Empty: 3.')
param microsoftAzureSettledDays string = ''

@description('Client id of the Pax8 API credentials; the vault holds pax8-client-secret. Empty: not connected.')
param pax8ClientId string = ''

@description('Statuses whose subscriptions count, separated by commas. Empty: what Pax8 charges for.')
param pax8BillableStatuses string = ''

@description('invoices: what is charged in arrears is counted by the invoices of Pax8. Empty: not at all.')
param pax8Usage string = ''

@description('Pax8 API. Empty: the public one.')
param pax8Url string = ''

@description('Where Pax8 tokens come from. Empty: the public one.')
param pax8TokenUrl string = ''

@description('Audience of Pax8 tokens. Empty: the partner API.')
param pax8Audience string = ''

@description('API key of the Huntress account; the vault holds huntress-private-key. Empty: not connected.')
param huntressPublicKey string = ''

@description('Huntress API; of the account where the keys are a reseller\'s. Empty: the public one.')
param huntressUrl string = ''

@description('Own customer name at Cove, exactly as its console shows it.')
param covePartner string = ''

@description('Login name of the API user at Cove; the vault holds cove-token. Empty: not connected.')
param coveUsername string = ''

@description('JSON-RPC of Cove. Empty: the public one.')
param coveUrl string = ''

@description('Whether counts are pushed to the app; if so, the vault holds pushed-keys.')
@allowed([
  'no'
  'yes'
])
param pushedCounts string = 'no'

@description('How many hours a push is believed.')
@minValue(1)
@maxValue(744)
param pushedHours int = 26

@description('Mail server that takes notices, host:port. Empty: none.')
param noticeSmtp string = ''

@description('Address that notices are from, by that server.')
param noticeSmtpFrom string = ''

@description('How the connection to it is kept secret.')
@allowed([
  'starttls'
  'tls'
])
param noticeSmtpSecurity string = 'starttls'

@description('User name at that server; the vault holds notice-smtp-password. Empty: it asks for none.')
param noticeSmtpUsername string = ''

@description('Mailbox of the own tenant that Microsoft Graph sends notices from, where there is no mail server.')
param noticeMailbox string = ''

@description('Whether notices go to Teams; if so, the vault holds notice-teams.')
@allowed([
  'yes'
  'no'
])
param noticeTeams string = 'no'

@description('Who is told when a night, the storage or Manage fails, such as mail:desk@birchline.example.')
param noticeAlerts string = ''

@description('Address of the console, for links in notices. Empty: no links.')
param noticeConsoleUrl string = ''

@description('Last days of secrets and certificates: name=day, separated by commas.')
param noticeSecretsEnd string = ''

@description('IANA time zone of readings and schedules, such as America/Chicago.')
@minLength(1)
param timeZone string = 'UTC'

@description('Address under which Manage tells of changes: the app with /api/callbacks/manage. Empty: it is not asked to.')
param callbackUrl string = ''

@description('Companies worked on at once in a run. Each lane may be an instance of its own.')
@minValue(1)
@maxValue(64)
param lanes int = 8

@description('Seconds that a company is leased to a worker; below the functionTimeout of host.json.')
@minValue(30)
@maxValue(540)
param leaseSeconds int = 300

@description('Days for which the daily backups of the store are kept. 0: none are made.')
@minValue(0)
@maxValue(365)
param backupDays int = 30

@description('Client id of the single-tenant app registration by which people sign in to /console. Empty: nobody.')
@maxLength(36)
param consoleClientId string = ''

@description('Memory of one instance. The Graph library does not fit well into the smallest size of 512 MB.')
@allowed([
  2048
  4096
])
param instanceMemoryMB int = 2048

// A run never has more messages on its queue than lanes, so this is a stop for accidents and not the throttle.
@description('Most instances of one group of functions. 40 is the lowest that every region is documented to accept.')
@minValue(40)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('HTTP requests at once in one instance, and threads to work on them. Without it Python apps get one.')
@minValue(1)
@maxValue(64)
param httpConcurrency int = 8

// Without OpenTelemetry the platform loses the requests of an instance's first moments, which the alerts ask for.
@description('How the platform sends logs and requests to Application Insights.')
@allowed([
  'OpenTelemetry'
  'ApplicationInsights'
])
param telemetryMode string = 'OpenTelemetry'

@description('How the store is copied. The seat record lives there: zone or geo redundancy where the region has it.')
@allowed([
  'Standard_LRS'
  'Standard_ZRS'
  'Standard_GRS'
  'Standard_GZRS'
])
param storageRedundancy string = 'Standard_LRS'

@description('What the resource group may cost in a month, a whole number in the currency of the bill. Empty: no budget. Needs budgetStart.')
param budgetAmount string = ''

@description('First day of the month that the budget begins with, such as 2026-12-01. It stays as it was first given. Empty without an amount.')
param budgetStart string = ''

var token = uniqueString(subscription().id, environmentName, location)
var tags = {
  'azd-env-name': environmentName
  application: 'TrueUp'
}

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: tags
}

module identity 'identity.bicep' = {
  name: 'identity'
  scope: group
  params: {
    name: 'id-trueup-${token}'
    location: location
    tags: tags
  }
}

module monitoring 'monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    workspaceName: 'log-trueup-${token}'
    insightsName: 'appi-trueup-${token}'
    identityName: identity.outputs.name
    location: location
    tags: tags
  }
}

module alerts 'alerts.bicep' = {
  name: 'alerts'
  scope: group
  params: {
    insightsName: monitoring.outputs.insightsName
    email: alertEmail
    location: location
    tags: tags
  }
}

module budget 'budget.bicep' = if (!empty(budgetAmount)) {
  name: 'budget'
  scope: group
  params: {
    name: 'budget-trueup-${token}'
    amount: int(budgetAmount)
    email: alertEmail
    startDate: budgetStart
  }
}

module storage 'storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    name: 'sttrueup${token}'
    redundancy: storageRedundancy
    workspaceName: monitoring.outputs.workspaceName
    identityName: identity.outputs.name
    location: location
    tags: tags
  }
}

module vault 'vault.bicep' = {
  name: 'vault'
  scope: group
  params: {
    name: 'kv-trueup-${token}'
    identityName: identity.outputs.name
    workspaceName: monitoring.outputs.workspaceName
    location: location
    tags: tags
  }
}

module app 'app.bicep' = {
  name: 'app'
  scope: group
  params: {
    planName: 'plan-trueup-${token}'
    name: 'func-trueup-${token}'
    identityName: identity.outputs.name
    storageName: storage.outputs.name
    packageContainerName: storage.outputs.packageContainerName
    consoleClientId: consoleClientId
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    httpConcurrency: httpConcurrency
    location: location
    tags: tags
  }
}

module settings 'settings.bicep' = {
  name: 'settings'
  scope: group
  params: {
    appName: app.outputs.name
    identityName: identity.outputs.name
    insightsName: monitoring.outputs.insightsName
    storageName: storage.outputs.name
    vaultName: vault.outputs.name
    telemetryMode: telemetryMode
    httpConcurrency: httpConcurrency
    manageSite: manageSite
    manageBaseUrl: manageBaseUrl
    manageCompany: manageCompany
    manageClientId: manageClientId
    manageApiVersion: manageApiVersion
    manageCaFile: manageCaFile
    manageCallsInFlight: manageCallsInFlight
    manageCancelledDay: manageCancelledDay
    manageChangedLine: manageChangedLine
    manageProrateStartDay: manageProrateStartDay
    microsoftClientId: microsoftClientId
    microsoftPartnerTenants: microsoftPartnerTenants
    microsoftDirectTenants: microsoftDirectTenants
    microsoftAuthority: microsoftAuthority
    microsoftGraphUrl: microsoftGraphUrl
    microsoftCaFile: microsoftCaFile
    microsoftSkuNames: microsoftSkuNames
    microsoftPartnerCenterUrl: microsoftPartnerCenterUrl
    microsoftPartnerCenterScope: microsoftPartnerCenterScope
    microsoftChargesCurrency: microsoftChargesCurrency
    microsoftAzureCurrency: microsoftAzureCurrency
    microsoftAzureSettledDays: microsoftAzureSettledDays
    pax8ClientId: pax8ClientId
    pax8BillableStatuses: pax8BillableStatuses
    pax8Usage: pax8Usage
    pax8Url: pax8Url
    pax8TokenUrl: pax8TokenUrl
    pax8Audience: pax8Audience
    huntressPublicKey: huntressPublicKey
    huntressUrl: huntressUrl
    covePartner: covePartner
    coveUsername: coveUsername
    coveUrl: coveUrl
    pushedCounts: pushedCounts
    pushedHours: pushedHours
    noticeSmtp: noticeSmtp
    noticeSmtpFrom: noticeSmtpFrom
    noticeSmtpSecurity: noticeSmtpSecurity
    noticeSmtpUsername: noticeSmtpUsername
    noticeMailbox: noticeMailbox
    noticeTeams: noticeTeams
    noticeAlerts: noticeAlerts
    noticeConsoleUrl: noticeConsoleUrl
    noticeSecretsEnd: noticeSecretsEnd
    timeZone: timeZone
    callbackUrl: callbackUrl
    lanes: lanes
    leaseSeconds: leaseSeconds
    backupDays: backupDays
    consoleClientId: consoleClientId
  }
}

output AZURE_RESOURCE_GROUP string = group.name
output FUNCTION_APP_NAME string = app.outputs.name
output FUNCTION_APP_URL string = app.outputs.url
output IDENTITY_PRINCIPAL_ID string = identity.outputs.principalId
output STORAGE_ACCOUNT_NAME string = storage.outputs.name
output KEY_VAULT_NAME string = vault.outputs.name
