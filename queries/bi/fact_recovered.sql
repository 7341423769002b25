-- table: fact_recovered
-- title: Money that came back
-- meaning: months of earlier findings whose money later invoices show
-- grain: finding x quarter of the analysis x month x currency
-- key: finding_id, quarter, customer_key, service_key, month, currency
-- period: month
-- sums: lost, recovered
-- columns: finding_id: stable over quarters, of dim_finding in the quarter `found_quarter`;
--   found_quarter: the quarter that found it;
--   quarter: the quarter whose analysis saw the money;
--   customer_key: of dim_customer;
--   service_key: of dim_service;
--   month: service month, its first day, of dim_date;
--   currency: of the amounts, of dim_currency;
--   basis: whose money it is;
--   lost: what the finding counted;
--   billed_then: what was billed when it was found;
--   billed_now: what is billed now;
--   recovered: what of the loss came back
SELECT finding_id, found_quarter, quarter, coalesce(customer_key, '(none)') AS customer_key, coalesce(service_key, '(none)') AS service_key,
       month, currency, basis, lost, billed_then, billed_now, recovered
FROM marts.recovered
