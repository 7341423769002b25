-- Contract headers: who, which currency, until when.
SELECT
  id AS contract_id,
  name AS contract_name,
  "company.id" AS customer_native_id,
  "company.name" AS customer_native_name,
  "currency.currencyCode" AS currency,
  "billingCycle.name" AS billing_cycle,
  CASE WHEN "cancelledFlag" THEN 'Cancelled' ELSE "agreementStatus" END AS status,
  "startDate" AS effective_from,
  coalesce("dateCancelled", "endDate") AS effective_to,
  source_row
FROM raw
