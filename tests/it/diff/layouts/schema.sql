\restrict abc
SET client_encoding = 'UTF8';
CREATE TABLE users (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email text NOT NULL,
    bio text NOT NULL DEFAULT 'semicolons; stay'
);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.email := lower(NEW.email);
    RETURN NEW;
END
$$;
CREATE TRIGGER users_touch BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TABLE posts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users (id),
    title text NOT NULL
);
CREATE INDEX posts_user_id_idx ON posts (user_id);
ALTER TABLE posts ADD COLUMN subtitle text;
ALTER TABLE posts ADD CONSTRAINT titles_differ CHECK (title <> subtitle);
\unrestrict abc
