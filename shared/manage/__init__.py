"""The ConnectWise Manage client: `client.ManageClient`, made from `settings.ManageSettings`.

Nothing is imported here, so that the settings can be read without loading the HTTP library.
"""
