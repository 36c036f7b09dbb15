"""One process that plays ConnectWise Manage, Entra ID and Microsoft Graph for a made-up MSP."""
