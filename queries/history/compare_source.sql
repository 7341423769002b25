-- history: compare_source
-- grain: what is said x system x customer x service x month x currency that the two states do not say alike
-- meaning: what arrived, was corrected or was taken back between two states of knowledge: usage of vendors (money is cost), commitments
--   of the PSA (the month's mean quantity), invoices
-- reads: compare.source_before, compare.source_after
SELECT coalesce(after.said_by, before.said_by) AS said_by, coalesce(after.system, before.system) AS system,
       coalesce(after.customer_key, before.customer_key) AS customer_key, coalesce(after.service_key, before.service_key) AS service_key,
       coalesce(after.month, before.month) AS month, coalesce(after.currency, before.currency) AS currency,
       CASE WHEN before.said_by IS NULL THEN 'arrived' WHEN after.said_by IS NULL THEN 'withdrawn' ELSE 'corrected' END AS what,
       before.quantity AS quantity_before, after.quantity AS quantity_after, before.money AS money_before, after.money AS money_after
FROM compare.source_before AS before
FULL JOIN compare.source_after AS after
  ON before.said_by = after.said_by AND before.system = after.system AND coalesce(before.customer_key, '') = coalesce(after.customer_key, '')
  AND coalesce(before.service_key, '') = coalesce(after.service_key, '') AND before.month = after.month
  AND coalesce(before.currency, '') = coalesce(after.currency, '')
WHERE before.said_by IS NULL OR after.said_by IS NULL
   OR coalesce(before.quantity, 0) <> coalesce(after.quantity, 0) OR coalesce(before.money, 0) <> coalesce(after.money, 0)
ORDER BY 3, 4, 5, 1, 2, 6
