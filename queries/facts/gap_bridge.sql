-- fact: gap_bridge
-- grain: customer x service x month x currency x cause, months of the quarter whose billing has run
-- meaning: the bridge as it is published: every unit of money between expected and billed, explained once; see facts/gap_part.sql
-- reads: facts.gap_part
SELECT customer_key, service_key, month, currency, expected, billed, gap, cause, amount
FROM facts.gap_part
WHERE month >= $quarter_start
