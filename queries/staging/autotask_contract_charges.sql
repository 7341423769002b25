-- Single charges on a contract; those that are billable and not yet billed are `not_billed`.
SELECT
  "contractID" AS contract_id,
  'charge:' || id AS line_id,
  'one_off' AS measure,
  coalesce('material:' || "billingCodeID", 'product:' || "productID") AS native_sku,
  name AS native_name,
  "unitQuantity" AS quantity,
  "unitPrice" AS unit_price,
  "unitCost" AS unit_cost,
  coalesce("billableAmount", exact_product("unitQuantity", "unitPrice")) AS amount,
  CASE WHEN NOT coalesce("isBillableToCompany", true) THEN 'not_billable' WHEN "isBilled" THEN 'billed' ELSE 'not_billed' END AS status,
  date_trunc('day', "datePurchased") AS effective_from,
  date_trunc('day', "datePurchased") + INTERVAL '1 day' AS effective_to,
  source_row
FROM raw
