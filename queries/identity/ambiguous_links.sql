-- identity: ambiguous_links
-- grain: native customer id
-- meaning: ids that links tie to several customers, so that they mean nobody until the crosswalk says whom
-- reads: facts.customer_link, facts.customer_alias
SELECT link.system, link.native_id AS id, link.customer_key AS key, link.other_key, CAST(link.customers AS BIGINT) AS customers
FROM facts.customer_link AS link
LEFT ANTI JOIN facts.customer_alias AS alias ON link.system = alias.system AND link.native_id = alias.native_id
WHERE link.customers > 1
ORDER BY 1, 2
