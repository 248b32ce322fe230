-- Dashboards group countries into markets.
ALTER TABLE orders ADD COLUMN market text GENERATED ALWAYS AS (
    CASE
        WHEN ship_country IN ('AT', 'BE', 'DE', 'ES', 'FR', 'IT', 'NL', 'PL', 'SE') THEN 'eu'
        WHEN ship_country IN ('GB', 'IE') THEN 'uk'
        WHEN ship_country IN ('US', 'CA') THEN 'north_america'
        WHEN ship_country IN ('AU', 'NZ') THEN 'oceania'
        ELSE 'rest_of_world'
    END
) STORED;

CREATE INDEX orders_ship_country_placed_at_idx ON orders (ship_country, placed_at);
