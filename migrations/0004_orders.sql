CREATE TYPE order_status AS ENUM ('pending', 'paid', 'packed', 'shipped', 'delivered', 'cancelled', 'refunded');

CREATE TABLE orders (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id    bigint NOT NULL REFERENCES customers (id),
    order_number   varchar(20) NOT NULL UNIQUE,
    status         order_status NOT NULL DEFAULT 'pending',
    channel        text NOT NULL CHECK (channel IN ('web', 'app', 'store', 'marketplace')),
    ship_country   char(2) NOT NULL,
    ship_postcode  varchar(16) NOT NULL,
    currency       char(3) NOT NULL CHECK (currency IN ('EUR', 'USD', 'GBP', 'AUD')),
    subtotal_cents integer NOT NULL CHECK (subtotal_cents > 0),
    shipping_cents integer NOT NULL DEFAULT 0 CHECK (shipping_cents BETWEEN 0 AND 20000),
    discount_cents integer NOT NULL DEFAULT 0 CHECK (discount_cents >= 0),
    total_cents    integer GENERATED ALWAYS AS (subtotal_cents + shipping_cents - discount_cents) STORED,
    note           text,
    placed_at      timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    CHECK (discount_cents <= subtotal_cents),
    CHECK (updated_at >= placed_at)
);

CREATE INDEX orders_customer_id_placed_at_idx ON orders (customer_id, placed_at DESC);
CREATE INDEX orders_placed_at_idx ON orders (placed_at);
CREATE INDEX orders_to_pack_idx ON orders (updated_at) WHERE status = 'paid';

CREATE TABLE order_items (
    order_id         bigint NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    line_no          smallint NOT NULL CHECK (line_no > 0),
    product_id       bigint NOT NULL REFERENCES products (id),
    quantity         integer NOT NULL CHECK (quantity BETWEEN 1 AND 20),
    unit_price_cents integer NOT NULL CHECK (unit_price_cents > 0),
    PRIMARY KEY (order_id, line_no)
);

CREATE INDEX order_items_product_id_idx ON order_items (product_id);
