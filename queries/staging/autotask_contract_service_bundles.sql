-- What a unit of a bundle costs the customer under a contract, for a billing period. The price agreed in the contract is exported in the MSP's
-- its own currency, which the rates of the catalogue price convert; the catalogue price where it has none of its own.
SELECT
  "contractID" AS contract_id,
  'bundle:' || id AS line_id,
  'price' AS measure,
  'bundle:' || "serviceBundleID" AS native_sku,
  "invoiceDescription" AS native_name,
  coalesce(
    "adjustedPrice",
    CASE WHEN "internalCurrencyUnitPrice" IS NULL OR "internalCurrencyUnitPrice" = "unitPrice" OR "internalCurrencyAdjustedPrice" = 0
           THEN "internalCurrencyAdjustedPrice"
         ELSE exact_quotient(exact_product("internalCurrencyAdjustedPrice", "unitPrice"), "internalCurrencyUnitPrice") END,
    "unitPrice") AS unit_price,
  source_row
FROM raw
