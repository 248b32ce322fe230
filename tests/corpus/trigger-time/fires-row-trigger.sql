-- Each row's change is noted by a statement of its own.
-- expect: warning
-- setup
CREATE TABLE price_changes (product_id bigint, old_price numeric, new_price numeric);
CREATE FUNCTION note_price() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO price_changes VALUES (old.id, old.price, new.price);
    PERFORM count(*) FROM countries WHERE name LIKE '%' || new.brand || '%';
    RETURN NULL;
END $$;
CREATE TRIGGER note_price AFTER UPDATE ON products FOR EACH ROW EXECUTE FUNCTION note_price();
-- name: RaisePrices :exec
UPDATE products SET price = price + 1;
