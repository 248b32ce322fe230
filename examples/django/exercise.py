"""Calls each page once, as a test suite would."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")

import django

django.setup()

from django.utils import timezone

from library import views
from library.models import Book, Reader

reader = Reader.objects.order_by("id").first()
book = Book.objects.order_by("id").first()
views.loans_of(reader.id)
views.books_by(book.author)
views.lend(book.id, reader.id, timezone.now())
