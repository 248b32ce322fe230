CREATE TABLE warehouses (
    id           smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code         varchar(8) NOT NULL UNIQUE,
    city         text NOT NULL,
    country_code char(2) NOT NULL
);

CREATE TABLE inventory (
    warehouse_id smallint NOT NULL REFERENCES warehouses (id),
    product_id   bigint NOT NULL REFERENCES products (id) ON DELETE CASCADE,
    quantity     integer NOT NULL DEFAULT 0 CHECK (quantity >= 0),
    reserved     integer NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (warehouse_id, product_id),
    CHECK (reserved <= quantity)
);

CREATE INDEX inventory_product_id_idx ON inventory (product_id);
CREATE INDEX inventory_sold_out_idx ON inventory (warehouse_id, updated_at) WHERE quantity = 0;
