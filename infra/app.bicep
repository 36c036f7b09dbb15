// The function app, on Flex Consumption. Its settings are the names of docs/settings.md; secrets are vault references.

@description('Name of the plan; it holds this one app.')
param planName string

@description('Name of the function app. The platform tells hosts apart by its first 32 characters.')
@maxLength(32)
param name string

@description('Name of the identity that the app is.')
param identityName string

@description('Name of the Application Insights component.')
param insightsName string

@description('Name of the storage account.')
param storageName string

@description('Name of the blob container that holds the deployed package.')
param packageContainerName string

@description('Name of the vault with the secrets manage-public-key and manage-private-key.')
param vaultName string

@description('Site whose API base is looked up; or empty.')
param manageSite string

@description('Base URL of the Manage API; or empty.')
param manageBaseUrl string

@description('What is typed as Company at the Manage login.')
param manageCompany string

@description('Client id from the ConnectWise developer network.')
param manageClientId string

@description('API version to pin; or empty.')
param manageApiVersion string

@description('Client id of the multi-tenant app registration.')
param microsoftClientId string

@description('Partner tenants, separated by commas; or empty.')
param microsoftPartnerTenants string

@description('Direct tenants, separated by commas; or empty.')
param microsoftDirectTenants string

@description('IANA time zone of readings and schedules.')
param timeZone string

@description('Address under which Manage tells of changes; or empty.')
param callbackUrl string

@description('Companies worked on at once in a run.')
param lanes int

@description('Memory of one instance.')
param instanceMemoryMB int

@description('Most instances of one group of functions.')
param maximumInstanceCount int

@description('HTTP requests at once in one instance, and threads to work on them.')
param httpConcurrency int

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

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

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    tier: 'FlexConsumption'
    name: 'FC1'
  }
  properties: {
    reserved: true
  }
}

resource app 'Microsoft.Web/sites@2024-04-01' = {
  name: name
  location: location
  tags: union(tags, {
    'azd-service-name': 'functions'
  })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identity.id}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identity.id
    siteConfig: {
      minTlsVersion: '1.2'
    }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${storage.properties.primaryEndpoints.blob}${packageContainerName}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identity.id
          }
        }
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
        triggers: {
          http: {
            perInstanceConcurrency: httpConcurrency
          }
        }
      }
      runtime: {
        name: 'python'
        version: '3.13'
      }
    }
  }
}

resource settings 'Microsoft.Web/sites/config@2024-04-01' = {
  parent: app
  name: 'appsettings'
  properties: {
    AzureWebJobsStorage__accountName: storage.name
    AzureWebJobsStorage__credential: 'managedidentity'
    AzureWebJobsStorage__clientId: identity.properties.clientId
    APPLICATIONINSIGHTS_CONNECTION_STRING: insights.properties.ConnectionString
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identity.properties.clientId};Authorization=AAD'
    PYTHON_THREADPOOL_THREAD_COUNT: string(httpConcurrency)
    MANAGE_SITE: manageSite
    MANAGE_BASE_URL: manageBaseUrl
    MANAGE_COMPANY: manageCompany
    MANAGE_PUBLIC_KEY: '@Microsoft.KeyVault(SecretUri=${vault.properties.vaultUri}secrets/manage-public-key)'
    MANAGE_PRIVATE_KEY: '@Microsoft.KeyVault(SecretUri=${vault.properties.vaultUri}secrets/manage-private-key)'
    MANAGE_CLIENT_ID: manageClientId
    MANAGE_API_VERSION: manageApiVersion
    MICROSOFT_PARTNER_TENANTS: microsoftPartnerTenants
    MICROSOFT_DIRECT_TENANTS: microsoftDirectTenants
    MICROSOFT_CLIENT_ID: microsoftClientId
    MICROSOFT_CREDENTIAL: 'managed-identity'
    MICROSOFT_IDENTITY_CLIENT_ID: identity.properties.clientId
    TRUEUP_TIME_ZONE: timeZone
    TRUEUP_CALLBACK_URL: callbackUrl
    TRUEUP_LANES: string(lanes)
  }
}

// Publishing passwords are shared keys too: who deploys signs in.
resource ftp 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: app
  name: 'ftp'
  properties: {
    allow: false
  }
}

resource scm 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: app
  name: 'scm'
  properties: {
    allow: false
  }
}

output name string = app.name
output url string = 'https://${app.properties.defaultHostName}'
