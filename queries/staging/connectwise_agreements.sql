-- Contract headers: who, which currency, until when. A sub-agreement is its own company's, in its parent's currency where it names none.
WITH parent AS (SELECT id, min("currency.currencyCode") AS currency FROM raw GROUP BY id)
SELECT
  raw.id AS contract_id,
  raw.name AS contract_name,
  raw."company.id" AS customer_native_id,
  raw."company.name" AS customer_native_name,
  coalesce(raw."currency.currencyCode", parent.currency) AS currency,
  raw."billingCycle.name" AS billing_cycle,
  CASE WHEN raw."cancelledFlag" THEN 'Cancelled' ELSE raw."agreementStatus" END AS status,
  raw."startDate" AS effective_from,
  coalesce(raw."dateCancelled", raw."endDate") AS effective_to,
  raw.source_row
FROM raw
LEFT JOIN parent ON raw."parentAgreement.id" = parent.id
