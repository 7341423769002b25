-- fact: customer_alias
-- grain: one native customer id of one system, in one validity
-- meaning: which customer an id means: by the crosswalk, else by a link that an export carries, else by the PSA's own register of companies
-- reads: facts.customer_register, facts.customer_link
SELECT register.system, register.native_id,
       CASE WHEN register.is_own AND link.customers = 1 THEN link.customer_key ELSE register.customer_key END AS customer_key,
       CASE WHEN register.is_own AND link.customers = 1 THEN coalesce(link.customer_name, register.customer_name)
            ELSE register.customer_name END AS customer_name,
       register.valid_from, register.valid_to
FROM facts.customer_register AS register
LEFT JOIN facts.customer_link AS link
  ON register.system = link.system AND register.native_id = link.native_id AND link.customer_key <> register.customer_key
UNION ALL
SELECT link.system, link.native_id, link.customer_key, link.customer_name, CAST(NULL AS DATE), CAST(NULL AS DATE)
FROM facts.customer_link AS link
LEFT ANTI JOIN facts.customer_register AS register ON link.system = register.system AND link.native_id = register.native_id
WHERE link.customers = 1
