// What the resource group may cost in a month before somebody is told. It tells, and stops nothing.

@description('Name of the budget.')
param name string

@description('Amount of a month, in the currency in which the subscription is billed.')
param amount int

@description('Mail address that is told.')
param email string

@description('First month of the budget: its first day. It cannot be changed later.')
param startDate string

resource budget 'Microsoft.Consumption/budgets@2023-11-01' = {
  name: name
  properties: {
    category: 'Cost'
    amount: amount
    timeGrain: 'Monthly'
    timePeriod: {
      startDate: startDate
    }
    notifications: {
      mostIsSpent: {
        enabled: true
        operator: 'GreaterThanOrEqualTo'
        threshold: 80
        thresholdType: 'Actual'
        contactEmails: [
          email
        ]
      }
      moreIsExpected: {
        enabled: true
        operator: 'GreaterThan'
        threshold: 100
        thresholdType: 'Forecasted'
        contactEmails: [
          email
        ]
      }
    }
  }
}
