-- identity: psa_systems
-- grain: system
-- meaning: systems that keep a register of companies
-- reads: known.company
SELECT DISTINCT system FROM known.company ORDER BY system
