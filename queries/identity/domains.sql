-- identity: domains
-- grain: native customer id x domain
-- meaning: domains that exports state beside their ids, and the customer that the id means, if it is known
-- reads: known.customer_link, facts.customer_alias
SELECT DISTINCT link.system, normalise_id(link.native_id) AS id, link.other_id AS domain, alias.customer_key AS key
FROM known.customer_link AS link
LEFT JOIN facts.customer_alias AS alias ON link.system = alias.system AND normalise_id(link.native_id) = alias.native_id
WHERE lower(trim(link.other_system)) = 'domain' AND trim(link.other_id) <> '' AND trim(link.native_id) <> ''
ORDER BY 1, 2, 3, 4
