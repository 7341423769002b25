-- Exchange rates by date.
SELECT date, from_currency, to_currency, rate, source, source_row FROM raw
