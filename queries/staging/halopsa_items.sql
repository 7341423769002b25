-- The catalogue: an item by its code, else its number.
SELECT
  coalesce(item_code, id) AS native_sku,
  id AS other_sku,
  name AS native_name,
  CASE WHEN isrecurringitem THEN coalesce(recurringprice, baseprice) ELSE baseprice END AS unit_price,
  CASE WHEN isrecurringitem THEN coalesce(recurringcost, costprice) ELSE costprice END AS unit_cost,
  item_default_billing_period AS billing_cycle,
  CASE WHEN inactive THEN 'inactive' ELSE 'active' END AS status,
  source_row
FROM raw
