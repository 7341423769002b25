-- history: cutoff
-- grain: customer x service x month x currency of the quarter
-- meaning: when the month stopped being billable in the normal run, and what had been billed of it by then
-- reads: facts.billing_cutoff
SELECT customer_key, service_key, month, currency, cutoff_date, billed_by_cutoff FROM facts.billing_cutoff
