-- Contract lines as one dated snapshot shows them. lessIncluded is the part of the quantity that is free.
SELECT
  "agreementId" AS contract_id,
  id AS line_id,
  coalesce("product.identifier", "product.id") AS native_sku,
  coalesce(description, "invoiceDescription") AS native_name,
  quantity,
  "lessIncluded" AS included_quantity,
  "unitPrice" AS unit_price,
  "unitCost" AS unit_cost,
  coalesce("billCustomer", 'Billable') AS status,
  "effectiveDate" AS effective_from,
  "cancelledDate" AS effective_to,
  source_row
FROM raw
