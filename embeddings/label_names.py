"""Names of what any set of photos may say of them; all other labels are attributes, by their own names."""

CATEGORY = "category"
PRODUCT = "product"
BRAND = "brand"
