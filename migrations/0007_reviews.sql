CREATE TABLE reviews (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    product_id    bigint NOT NULL REFERENCES products (id) ON DELETE CASCADE,
    customer_id   bigint NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
    rating        smallint NOT NULL CHECK (rating BETWEEN 1 AND 5),
    title         varchar(120),
    body          text NOT NULL,
    status        text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'approved', 'rejected')),
    helpful_count integer NOT NULL DEFAULT 0 CHECK (helpful_count >= 0),
    created_at    timestamptz NOT NULL DEFAULT now(),
    UNIQUE (product_id, customer_id)
);

CREATE INDEX reviews_customer_id_created_at_idx ON reviews (customer_id, created_at DESC);
CREATE INDEX reviews_approved_idx ON reviews (product_id, created_at DESC) WHERE status = 'approved';
CREATE INDEX reviews_pending_idx ON reviews (created_at) WHERE status = 'pending';
