// Alerts on lines of the log (what a night measures of itself when it has ended, and the findings of messages that nobody
// could work on and of Manage refusing us), and two on what the platform itself records of each function: of a request
// over HTTP it knows the address and how it ended, of other functions no address. Nothing of either is sampled away, in both telemetry modes.

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
    name: 'no-night'
    title: 'TrueUp: no night was finished in 26 hours'
    query: 'traces | where timestamp > ago(26h) and message startswith "measured run " | extend m = parse_json(substring(message, 13)) | where tostring(m.kind) == "nightly"'
    operator: 'LessThan'
    threshold: 1
    window: 'P2D'
    frequency: 'PT1H'
  }
  {
    name: 'poison'
    title: 'TrueUp: a message could not be worked on'
    query: 'traces | where message startswith "finding poison "'
    operator: 'GreaterThan'
    threshold: 0
    window: 'PT15M'
    frequency: 'PT15M'
  }
  {
    name: 'failing'
    title: 'TrueUp: timers or workers keep failing'
    query: 'requests | where name has_any ("tick", "watchdog", "notices", "backup", "service_health", "sync_worker", "poison_worker") and isempty(url) and not(tobool(success))'
    operator: 'GreaterThan'
    threshold: 2
    window: 'PT15M'
    frequency: 'PT15M'
  }
  {
    name: 'requests'
    title: 'TrueUp: requests keep failing'
    query: 'requests | where isnotempty(url) and toint(resultCode) >= 500'
    operator: 'GreaterThan'
    threshold: 10
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
