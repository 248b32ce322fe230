-- One statement for all rows.
-- setup
CREATE TABLE price_changes (product_id bigint, new_price numeric);
CREATE FUNCTION note_prices() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO price_changes SELECT id, price FROM changed;
    RETURN NULL;
END $$;
CREATE TRIGGER note_prices AFTER UPDATE ON products REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION note_prices();
-- name: RaisePrices :exec
UPDATE products SET price = price + 1;
