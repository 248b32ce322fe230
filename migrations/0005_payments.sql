CREATE TYPE payment_status AS ENUM ('authorized', 'captured', 'failed', 'refunded', 'disputed');

CREATE TABLE payments (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id           bigint NOT NULL REFERENCES orders (id),
    provider           text NOT NULL CHECK (provider IN ('stripe', 'adyen', 'paypal', 'klarna')),
    provider_reference varchar(40) NOT NULL,
    status             payment_status NOT NULL DEFAULT 'authorized',
    amount_cents       integer NOT NULL CHECK (amount_cents > 0),
    currency           char(3) NOT NULL CHECK (currency IN ('EUR', 'USD', 'GBP', 'AUD')),
    failure_message    text,
    created_at         timestamptz NOT NULL DEFAULT now(),
    captured_at        timestamptz,
    UNIQUE (provider, provider_reference),
    CHECK (captured_at >= created_at)
);

CREATE INDEX payments_order_id_idx ON payments (order_id);
CREATE INDEX payments_provider_status_created_at_idx ON payments (provider, status, created_at);
