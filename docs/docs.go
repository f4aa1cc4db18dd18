// Package docs holds the product's pages. Its tests hold the house: the
// floors, the names, and that the pages say what the code does.
package docs
