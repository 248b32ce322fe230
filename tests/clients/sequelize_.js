// A list and its authors by Sequelize: an association that is loaded row by row, or included.
const { Sequelize, DataTypes } = require("sequelize");

const db = new Sequelize(process.env.DATABASE_URL, { logging: false, define: { timestamps: false } });
const Author = db.define("authors", { id: { type: DataTypes.BIGINT, primaryKey: true }, name: DataTypes.TEXT });
const Post = db.define("posts", { id: { type: DataTypes.BIGINT, primaryKey: true }, title: DataTypes.TEXT });
Post.belongsTo(Author, { foreignKey: "author_id", as: "author" });

async function main() {
  const order = [["title", "ASC"], ["id", "ASC"]];
  const include = process.argv[2] === "eager" ? [{ association: "author" }] : [];
  for (const post of await Post.findAll({ order, limit: 15, include })) {
    const author = post.author ?? (await post.getAuthor());
    if (!author.name) throw new Error("no name");
  }
  await db.close();
}

main().catch((error) => { console.error(error); process.exit(1); });
