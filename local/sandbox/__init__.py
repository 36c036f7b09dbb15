"""One process that plays ConnectWise Manage, Microsoft, Pax8, Huntress and Cove for a made-up MSP."""
