"""The sandbox's ConnectWise Manage: REST behaviour, billing rules, and what a person does there by hand."""
