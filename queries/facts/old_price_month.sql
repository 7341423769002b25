-- fact: old_price_month
-- grain: customer x service x month x currency, months whose invoice still carries the price from before a rise that the PSA records
-- meaning: the price of a unit was once charged as agreed, the PSA's price rose since (contract_price_up), and what is charged is still the price of the
--   last month that was right. A price that slides, or that a written term or escalator raises, is not one of them. Half a percent is rounding
-- reads: facts.fact_monthly, facts.contract_event
WITH priced AS (
  SELECT customer_key, service_key, currency, month, contract_price, billed_price, abs(billed_price - contract_price) <= 0.005 * contract_price AS is_right
  FROM facts.fact_monthly
  WHERE price_model = 'per_unit' AND is_contracted AND contract_price > 0 AND billed_price > 0
),
followed AS (
  SELECT *, max(CASE WHEN is_right THEN month END) OVER (PARTITION BY customer_key, service_key, currency ORDER BY month) AS last_right
  FROM priced
)
SELECT DISTINCT late.customer_key, late.service_key, late.month, late.currency
FROM followed AS late
JOIN priced AS before
  ON late.customer_key = before.customer_key AND late.service_key = before.service_key AND late.currency = before.currency
  AND late.last_right = before.month
JOIN facts.contract_event AS rise
  ON late.customer_key = rise.customer_key AND late.service_key = rise.service_key AND rise.event = 'contract_price_up'
  AND rise.month >= late.last_right AND rise.month <= late.month
WHERE late.billed_price < late.contract_price AND NOT late.is_right AND abs(late.billed_price - before.billed_price) <= 0.005 * before.billed_price
