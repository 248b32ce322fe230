CREATE TABLE brands (
    id      integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name    text NOT NULL UNIQUE,
    website text
);

CREATE TABLE categories (
    id        integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    parent_id integer REFERENCES categories (id),
    slug      varchar(80) NOT NULL UNIQUE,
    name      text NOT NULL,
    position  integer NOT NULL DEFAULT 0 CHECK (position >= 0),
    CHECK (parent_id <> id)
);

CREATE TABLE products (
    id                     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    brand_id               integer NOT NULL REFERENCES brands (id),
    sku                    varchar(32) NOT NULL UNIQUE,
    slug                   varchar(120) NOT NULL UNIQUE,
    name                   text NOT NULL,
    description            text NOT NULL,
    price_cents            integer NOT NULL CHECK (price_cents > 0),
    compare_at_price_cents integer CHECK (compare_at_price_cents >= price_cents),
    status                 text NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'active', 'archived')),
    attributes             jsonb NOT NULL DEFAULT '{}',
    created_at             timestamptz NOT NULL DEFAULT now(),
    updated_at             timestamptz NOT NULL DEFAULT now(),
    CHECK (updated_at >= created_at)
);

CREATE INDEX products_brand_id_idx ON products (brand_id);

CREATE TABLE product_categories (
    product_id  bigint NOT NULL REFERENCES products (id) ON DELETE CASCADE,
    category_id integer NOT NULL REFERENCES categories (id),
    position    integer NOT NULL DEFAULT 0 CHECK (position >= 0),
    PRIMARY KEY (product_id, category_id)
);

CREATE INDEX product_categories_category_id_position_idx ON product_categories (category_id, position);
