-- signal: cost_charge_drift
-- title: Vendor cost rises, the charge does not follow
-- question: Where does a unit cost more and more of what it is charged at?
-- family: trend
-- basis: cost
-- precedence: 60
-- grain: customer x service x month
-- reads: facts.trend_test, facts.trend_input, facts.trend_baseline
-- kernels: bh_adjust
-- fires_when: cost by charge rises (trend, step or quarter against baseline, see facts/trend_test.sql; q <= 0.05 over all tested pairs)
--   by at least 3 %; per unit where units are priced
-- stays_silent_when: the price was raised with the cost, the contract records a lower price, only the exchange rate moved (the ratio is
--   taken in the vendor's currency), it is the charge for a unit that fell and not its cost that rose (discount_creep, arpu_decline,
--   usage_up_revenue_flat), the series is shorter than six months
-- known_false_alarms: a vendor promotion that ends looks like a rise unless it began within the window
-- caused_by: vendor_price_up, contract_price_down, renewal, source_migration, first_record
-- action: pass the price on at renewal, or change the vendor plan
-- explanation: {service} for {customer}: {story}. {unit} cost {unit_cost_before} {cost_currency} and costs {unit_cost_now} now; it was charged
--   at {unit_charge_before} {currency} and is charged at {unit_charge_now} now. {leakage} {currency} of cost in the quarter is above what the
--   margin before would have allowed (cost {cost} {currency} in {last_month})
-- owner: vendor management
WITH tested AS (
  SELECT *, bh_adjust(p_value) OVER () AS q_value
  FROM facts.trend_test WHERE measure = 'cost_per_charge'
),
-- What usage_up_revenue_flat tells: usage rises, revenue does not.
used AS (
  SELECT customer_key, service_key, currency
  FROM facts.trend_test
  WHERE measure = 'usage_per_revenue' AND rising['p'] <= 0.05 AND rising_line['slope'] > 0
    AND NOT (resting['p'] <= 0.05 AND resting_line['slope'] > 0)
),
hit AS (
  SELECT tested.*, line['slope'] AS slope, line['slope_low'] AS slope_low, line['slope_high'] AS slope_high,
         CAST(last_month_as_high_as_before + INTERVAL '1 month' AS DATE) AS change_month
  FROM tested
  LEFT JOIN used ON tested.customer_key = used.customer_key AND tested.service_key = used.service_key AND tested.currency = used.currency
  WHERE q_value <= $max_q AND moved >= 0.03
    -- A unit that costs what it did, and is charged less or not at all, is no matter of the vendor.
    AND NOT coalesce(own_moved < 0.25 * moved AND (used.customer_key IS NOT NULL OR coalesce(other_moved >= 0.5 * moved, false)), false)
),
-- What a unit cost and was charged at: in the months of the baseline (medians), and now.
placed AS (
  SELECT *, exact_quotient(levelled_cost, coalesce(nullif(cost_units, 0), 1)) AS cost_of_unit,
         exact_quotient(CASE WHEN price_model = 'per_unit' THEN exact_product(cost_units, levelled_price) ELSE revenue END,
                        coalesce(nullif(cost_units, 0), 1)) AS charge_of_unit,
         row_number() OVER (PARTITION BY customer_key, service_key, currency ORDER BY month) AS place
  FROM facts.trend_input WHERE cost_per_charge IS NOT NULL
),
before AS (
  SELECT hit.customer_key, hit.service_key, hit.currency, median(placed.cost_of_unit) AS unit_cost_before,
         median(placed.charge_of_unit) AS unit_charge_before
  FROM hit
  JOIN facts.trend_baseline AS baseline
    ON hit.customer_key = baseline.customer_key AND hit.service_key = baseline.service_key AND hit.currency = baseline.currency
    AND hit.measure = baseline.measure
  JOIN placed
    ON hit.customer_key = placed.customer_key AND hit.service_key = placed.service_key AND hit.currency = placed.currency
    AND placed.place <= baseline.baseline_months
  GROUP BY hit.customer_key, hit.service_key, hit.currency
),
cell AS (
  SELECT hit.*, input.month, input.cost, input.revenue, input.cost_currency, input.delivered_quantity, input.cost_of_unit, input.charge_of_unit,
         before.unit_cost_before, before.unit_charge_before,
         CASE WHEN input.price_model = 'per_unit' THEN exact_product(input.cost_units, input.levelled_price) ELSE input.revenue END
           AS charge,
         input.levelled_cost, exact_quotient(input.cost, input.cost_original) AS rate
  FROM hit
  JOIN before ON hit.customer_key = before.customer_key AND hit.service_key = before.service_key AND hit.currency = before.currency
  JOIN placed AS input
    ON hit.customer_key = input.customer_key AND hit.service_key = input.service_key AND hit.currency = input.currency
  WHERE input.month >= hit.change_month
)
SELECT customer_key, service_key, currency, month,
       round_money(exact_product(levelled_cost - exact_product(charge, level), rate), currency) AS amount,
       round_money(exact_product(levelled_cost - exact_product(charge, level_high), rate), currency) AS amount_low,
       round_money(exact_product(levelled_cost - exact_product(charge, level_low), rate), currency) AS amount_high,
       p_value, q_value, slope, slope_low, slope_high, change_month, cost, revenue,
       CASE WHEN delivered_quantity > 0 THEN 'A unit' ELSE 'A month' END AS unit, coalesce(cost_currency, currency) AS cost_currency,
       CAST(round(unit_cost_before, 4) AS DECIMAL(38, 18)) AS unit_cost_before, CAST(round(cost_of_unit, 4) AS DECIMAL(38, 18)) AS unit_cost_now,
       CAST(round(unit_charge_before, 4) AS DECIMAL(38, 18)) AS unit_charge_before,
       CAST(round(charge_of_unit, 4) AS DECIMAL(38, 18)) AS unit_charge_now,
       -- Whose move it was: half a percent is rounding.
       CASE WHEN cost_of_unit > 1.005 * unit_cost_before AND charge_of_unit < 0.995 * unit_charge_before
              THEN 'the vendor''s price rose while the charge fell'
            WHEN cost_of_unit > 1.005 * unit_cost_before AND charge_of_unit > 1.005 * unit_charge_before
              THEN 'the vendor''s price rose and only a part of it was passed on'
            WHEN cost_of_unit > 1.005 * unit_cost_before THEN 'the vendor''s price rose and was not passed on'
            WHEN charge_of_unit < 0.995 * unit_charge_before THEN 'the charge fell while the vendor''s price stayed'
            ELSE 'what the vendor charges and what is charged have parted' END AS story
FROM cell
WHERE levelled_cost > 1.02 * exact_product(charge, level)
