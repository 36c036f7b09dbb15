"""What is deployed: the packages it takes, each by its hash, and the package that holds it all."""
