-- The two shapes: few short columns, and many with text.
CREATE TABLE narrow (
    id          bigint NOT NULL,
    customer_id bigint NOT NULL,
    status      text NOT NULL,
    quantity    integer NOT NULL,
    total       numeric(10,2) NOT NULL,
    placed_at   timestamptz NOT NULL
);
CREATE TABLE wide (
    id          bigint NOT NULL,
    email       text NOT NULL,
    full_name   text NOT NULL,
    phone       varchar(32) NOT NULL,
    street      text NOT NULL,
    city        text NOT NULL,
    country     char(2) NOT NULL,
    active      boolean NOT NULL,
    balance     numeric(12,2) NOT NULL,
    external_id uuid NOT NULL,
    last_ip     inet,
    preferences jsonb NOT NULL,
    notes       text,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL
);
