-- fact: peer_slope
-- grain: customer x service x currency
-- meaning: what the peers compute per pair: the Theil-Sen slope of ln(quantity) and Mann-Kendall's S
-- reads: facts.fact_monthly
-- kernels: theil_sen, mann_kendall
SELECT customer_key, service_key, currency, theil_sen(x, y) AS line, mann_kendall(x, y) AS trend
FROM (
  SELECT customer_key, service_key, currency,
         CAST(date_part('year', month) * 12 + date_part('month', month) AS BIGINT) AS x,
         ln(CAST(delivered_quantity AS DOUBLE)) AS y
  FROM facts.fact_monthly WHERE delivered_quantity > 0
)
GROUP BY customer_key, service_key, currency
