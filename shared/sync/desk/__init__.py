"""What a billing clerk looks at and decides: companies, one company, what waits. Plain values, shown as page and JSON.

Money and quantities are JSON numbers in the agreement's currency and the SKU's units; times are ISO 8601, UTC.
"""
