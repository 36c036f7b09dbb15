"""What the flows tell, field by field: pages show it, and the OpenAPI document of the JSON routes is made from it.

Money and quantities are JSON numbers in the agreement's currency and the SKU's units; days and times are ISO 8601,
times in UTC. What may be missing is `NotRequired`; null means that nobody knows or that there is none.
"""
