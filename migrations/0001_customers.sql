CREATE TYPE customer_status AS ENUM ('active', 'blocked', 'closed');

CREATE TABLE customers (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email          text NOT NULL UNIQUE,
    full_name      text NOT NULL,
    phone          varchar(32),
    status         customer_status NOT NULL DEFAULT 'active',
    loyalty_points integer NOT NULL DEFAULT 0 CHECK (loyalty_points >= 0),
    preferences    jsonb NOT NULL DEFAULT '{}',
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    CHECK (updated_at >= created_at)
);

CREATE INDEX customers_created_at_idx ON customers (created_at);

CREATE TABLE addresses (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id  bigint NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
    kind         text NOT NULL CHECK (kind IN ('billing', 'shipping')),
    street       text NOT NULL,
    city         text NOT NULL,
    region       text,
    postcode     varchar(16) NOT NULL,
    country_code char(2) NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX addresses_customer_id_idx ON addresses (customer_id);
