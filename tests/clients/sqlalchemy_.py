"""A list and its authors by an ORM: a lazy relationship, or one loaded with the list."""
import os, sys, traceback
from sqlalchemy import ForeignKey, create_engine, event, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, selectinload

class Base(DeclarativeBase):
    pass

class Author(Base):
    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]

class Post(Base):
    __tablename__ = "posts"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))
    author: Mapped[Author] = relationship()

url = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://").replace("postgres://", "postgresql+psycopg://")
engine = create_engine(url)

@event.listens_for(engine, "before_cursor_execute", retval=True)
def with_place(connection, cursor, statement, parameters, context, executemany):
    """sqlcommenter's form: where in the application a statement comes from."""
    place = [frame for frame in traceback.extract_stack() if frame.filename == __file__][-2]
    return f"{statement} /*file='{os.path.basename(place.filename)}',lineno='{place.lineno}'*/", parameters

with Session(engine) as session:
    posts = select(Post).order_by(Post.title, Post.id).limit(15)
    if sys.argv[1] == "eager":
        posts = posts.options(selectinload(Post.author))
    for post in session.scalars(posts):
        assert post.author.name
