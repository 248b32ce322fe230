"""A list and its authors by Django's ORM: a foreign key that is followed row by row, or one that is loaded with the list."""
import os, sys, traceback
import django
from django.conf import settings

settings.configure(
    INSTALLED_APPS=[],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": os.environ["PGDATABASE"],
            "USER": os.environ["PGUSER"],
            "PASSWORD": os.environ["PGPASSWORD"],
            "HOST": os.environ["PGHOST"],
            "PORT": os.environ["PGPORT"],
        }
    },
)
django.setup()
from django.db import connection, models


class Author(models.Model):
    name = models.TextField()

    class Meta:
        app_label, db_table = "shop", "authors"


class Post(models.Model):
    title = models.TextField()
    author = models.ForeignKey(Author, models.CASCADE)

    class Meta:
        app_label, db_table = "shop", "posts"


def with_place(execute, sql, params, many, context):
    """sqlcommenter's form: where in the application a statement comes from."""
    place = [frame for frame in traceback.extract_stack() if frame.filename == __file__][-2]
    return execute(f"{sql} /*file='{os.path.basename(place.filename)}',lineno='{place.lineno}'*/", params, many, context)


with connection.execute_wrapper(with_place):
    posts = Post.objects.order_by("title", "id")
    if sys.argv[1] == "eager":
        posts = posts.select_related("author")
    for post in posts[:15]:
        assert post.author.name
