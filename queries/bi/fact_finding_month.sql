-- table: fact_finding_month
-- title: Money of findings by month
-- meaning: what each finding counts in each month of its quarter; a unit of money counts in one finding, others corroborate it
-- grain: finding x quarter x customer x service x month x currency
-- key: finding_key, customer_key, service_key, month, currency
-- period: month
-- sums: counted, corroborates
-- columns: finding_key: of dim_finding;
--   signal: of dim_signal;
--   customer_key: of dim_customer;
--   service_key: of dim_service;
--   month: service month, its first day, of dim_date;
--   currency: of the amounts, of dim_currency;
--   counted: money that counts in this finding;
--   corroborates: money that counts in another finding and that this one saw too;
--   billed: what was billed for the month when the run was made
SELECT evidence.finding_id || '-' || evidence.quarter AS finding_key, finding.signal, coalesce(evidence.customer_key, '(none)') AS customer_key,
       coalesce(evidence.service_key, '(none)') AS service_key, evidence.month, evidence.currency, evidence.counted, evidence.corroborates, evidence.billed
FROM marts.finding_evidence AS evidence
JOIN marts.finding AS finding ON evidence.finding_id = finding.finding_id AND evidence.quarter = finding.quarter
