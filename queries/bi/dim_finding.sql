-- table: dim_finding
-- title: Findings
-- meaning: what is said about each finding of each analysed quarter
-- key: finding_key
-- columns: finding_key: `finding_id` and quarter, what facts carry;
--   finding_id: stable over quarters;
--   quarter: the analysed quarter;
--   is_newest: of the newest analysed quarter;
--   signal: of dim_signal;
--   family: `trend` or `seam`;
--   basis: whose money it is;
--   status: against earlier quarters, such as `new`, `persisting`, `resolved`;
--   is_muted: somebody decided to leave it out of lists and totals;
--   severity: `critical`, `high`, `medium` or `low`;
--   confidence: 0 to 1;
--   p_value: unadjusted, of a trend;
--   q_value: adjusted for all tests of the run, of a trend;
--   first_month: first service month of the condition;
--   last_month: last service month of it within the quarter;
--   change_month: when it began, where a change point was found;
--   explanation: in plain language with its numbers;
--   likely_cause: what happened when it began
SELECT finding.finding_id || '-' || finding.quarter AS finding_key, finding.finding_id, finding.quarter,
       finding.quarter = (SELECT max(quarter) FROM marts.run) AS is_newest, finding.signal, finding.family, finding.basis, finding.status,
       muted.finding_id IS NOT NULL AS is_muted, finding.severity, finding.confidence, finding.p_value, finding.q_value,
       finding.first_month, finding.last_month, finding.change_month, finding.explanation, cause.detail AS likely_cause
FROM marts.finding AS finding
LEFT JOIN marts.finding_cause AS cause ON finding.finding_id = cause.finding_id AND finding.quarter = cause.quarter AND cause.rank = 1
LEFT JOIN bi.muted_finding AS muted ON finding.finding_id = muted.finding_id AND finding.quarter = muted.quarter
