// Alerts on what the platform itself records of each function: host.json keeps those records out of sampling. One more
// on what the hourly question to Manage writes into the log when Manage begins to refuse us, or refuses otherwise.

@description('Name of the Application Insights component.')
param insightsName string

@description('Mail address that alerts go to.')
param email string

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

// Handlers do not raise on what they expect, so any failure of theirs is news; two may be a passing fault of the store.
var rules = [
  {
    name: 'nothing-synced'
    title: 'TrueUp: no company was synced in 26 hours'
    query: 'requests | where timestamp > ago(26h) and operation_Name == "sync_worker" and tobool(success)'
    operator: 'LessThan'
    threshold: 1
    window: 'P2D'
    frequency: 'PT1H'
  }
  {
    name: 'poison'
    title: 'TrueUp: a message could not be worked on'
    query: 'requests | where operation_Name == "poison_worker"'
    operator: 'GreaterThan'
    threshold: 0
    window: 'PT15M'
    frequency: 'PT15M'
  }
  {
    name: 'failing'
    title: 'TrueUp: timers or workers keep failing'
    query: 'requests | where operation_Name in ("tick", "watchdog", "notices", "backup", "service_health", "sync_worker", "poison_worker") and not(tobool(success))'
    operator: 'GreaterThan'
    threshold: 2
    window: 'PT15M'
    frequency: 'PT15M'
  }
  {
    name: 'manage-refuses'
    title: 'TrueUp: Manage refuses us'
    query: 'traces | where message startswith "finding refused manage:"'
    operator: 'GreaterThan'
    threshold: 0
    window: 'PT15M'
    frequency: 'PT15M'
  }
]

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource operators 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'ag-${insightsName}'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'TrueUp'
    enabled: true
    emailReceivers: [
      {
        name: 'operators'
        emailAddress: email
        useCommonAlertSchema: true
      }
    ]
  }
}

resource alerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for rule in rules: {
  name: 'alert-${rule.name}-${insightsName}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: rule.title
    description: 'See docs/operate.md, Alerts.'
    severity: 1
    enabled: true
    autoMitigate: true
    scopes: [
      insights.id
    ]
    evaluationFrequency: rule.frequency
    windowSize: rule.window
    criteria: {
      allOf: [
        {
          query: rule.query
          timeAggregation: 'Count'
          operator: rule.operator
          threshold: rule.threshold
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    actions: {
      actionGroups: [
        operators.id
      ]
    }
  }
}]
