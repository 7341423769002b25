-- table: fact_finding
-- title: Money of findings by quarter
-- meaning: what each finding costs, and what of it can still be had
-- grain: finding x quarter
-- key: finding_key
-- period: quarter_start
-- sums: leakage_low, leakage, leakage_high, annual_run_rate, overbilled, detected, recoverable_now, recoverable_from_next_cycle, lost, recovered
-- semi_additive: annual_run_rate, detected, recoverable_now, recoverable_from_next_cycle, lost, recovered
-- columns: finding_key: of dim_finding;
--   signal: of dim_signal;
--   customer_key: of dim_customer;
--   service_key: of dim_service;
--   quarter_start: first day of the analysed quarter, of dim_date;
--   currency: of the amounts, of dim_currency;
--   rank: 1 is the most important of its quarter;
--   leakage_low: lower end of the interval of `leakage`;
--   leakage: the MSP's loss in the quarter;
--   leakage_high: upper end of the interval of `leakage`;
--   annual_run_rate: twelve times the monthly mean over the affected months of the quarter, never added over quarters;
--   overbilled: the customer's money, beside leakage and never netted against it;
--   detected: from the leak's beginning, the sum of the three that follow, never added over quarters;
--   recoverable_now: can be billed for past months, never added over quarters;
--   recoverable_from_next_cycle: stops with the next invoice, never added over quarters;
--   lost: too old to be billed, never added over quarters;
--   recovered: what later invoices show to have come back, never added over quarters
SELECT finding_id || '-' || quarter AS finding_key, signal, coalesce(customer_key, '(none)') AS customer_key, coalesce(service_key, '(none)') AS service_key,
       make_date(CAST(substr(quarter, 1, 4) AS INT), 3 * CAST(substr(quarter, 6, 1) AS INT) - 2, 1) AS quarter_start, currency, rank, leakage_low, leakage, leakage_high, annual_run_rate, overbilled,
       detected, recoverable_now, recoverable_from_next_cycle, lost, recovered
FROM marts.finding
