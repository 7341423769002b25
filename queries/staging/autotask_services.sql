-- The PSA's catalogue of services.
SELECT
  id AS native_sku,
  name AS native_name,
  "unitPrice" AS unit_price,
  "unitCost" AS unit_cost,
  CASE "periodType" WHEN '2' THEN 'Monthly' WHEN '3' THEN 'Quarterly' WHEN '4' THEN 'Semi-Annual' WHEN '5' THEN 'Yearly' ELSE "periodType" END
    AS billing_cycle,
  CASE WHEN "isActive" THEN 'active' WHEN NOT "isActive" THEN 'inactive' END AS status,
  source_row
FROM raw
