"""Books, the people who borrow them, and the loans."""

from django.db import models


class Book(models.Model):
    title = models.CharField(max_length=200)
    author = models.CharField(max_length=100)
    isbn = models.CharField(max_length=17, unique=True)


class Reader(models.Model):
    name = models.CharField(max_length=100)
    email = models.EmailField(unique=True)
    joined = models.DateTimeField()


class Loan(models.Model):
    book = models.ForeignKey(Book, on_delete=models.PROTECT)
    # Without an index: what the audit should find.
    reader = models.ForeignKey(Reader, on_delete=models.CASCADE, db_index=False)
    lent = models.DateTimeField()
    returned = models.DateTimeField(null=True)
