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

@description('Client id of the multi-tenant app registration that reads the customers.')
@minLength(36)
@maxLength(36)
param microsoftClientId string

@description('Partner tenants whose customers are read, separated by commas. This or microsoftDirectTenants, or both.')
param microsoftPartnerTenants string = ''

@description('Customer tenants read without a partner relationship, separated by commas.')
param microsoftDirectTenants string = ''

@description('IANA time zone of readings and schedules, such as America/Chicago.')
@minLength(1)
param timeZone string = 'UTC'

@description('Address under which Manage tells of changes: the app with /api/callbacks/manage. Empty: it is not asked to.')
param callbackUrl string = ''

@description('Companies worked on at once in a run. Each lane may be an instance of its own.')
@minValue(1)
@maxValue(64)
param lanes int = 8

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

@description('How the store is copied. The seat record lives there: zone or geo redundancy where the region has it.')
@allowed([
  'Standard_LRS'
  'Standard_ZRS'
  'Standard_GRS'
  'Standard_GZRS'
])
param storageRedundancy string = 'Standard_LRS'

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

module storage 'storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    name: 'sttrueup${token}'
    redundancy: storageRedundancy
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
    insightsName: monitoring.outputs.insightsName
    storageName: storage.outputs.name
    packageContainerName: storage.outputs.packageContainerName
    vaultName: vault.outputs.name
    manageSite: manageSite
    manageBaseUrl: manageBaseUrl
    manageCompany: manageCompany
    manageClientId: manageClientId
    manageApiVersion: manageApiVersion
    microsoftClientId: microsoftClientId
    microsoftPartnerTenants: microsoftPartnerTenants
    microsoftDirectTenants: microsoftDirectTenants
    timeZone: timeZone
    callbackUrl: callbackUrl
    lanes: lanes
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    httpConcurrency: httpConcurrency
    location: location
    tags: tags
  }
}

output AZURE_RESOURCE_GROUP string = group.name
output FUNCTION_APP_NAME string = app.outputs.name
output FUNCTION_APP_URL string = app.outputs.url
output IDENTITY_PRINCIPAL_ID string = identity.outputs.principalId
output STORAGE_ACCOUNT_NAME string = storage.outputs.name
output KEY_VAULT_NAME string = vault.outputs.name
